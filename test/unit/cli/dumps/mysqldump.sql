/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: semaphore
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `access_key`
--

DROP TABLE IF EXISTS `access_key`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `access_key` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `type` varchar(255) NOT NULL,
  `project_id` int(11) DEFAULT NULL,
  `secret` text DEFAULT NULL,
  `environment_id` int(11) DEFAULT NULL,
  `user_id` int(11) DEFAULT NULL,
  `plain` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `k` (`project_id`),
  CONSTRAINT `fk` FOREIGN KEY (`project_id`) REFERENCES `project` (`id`) ON DELETE SET NULL
) ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `access_key`
--

LOCK TABLES `access_key` WRITE;
/*!40000 ALTER TABLE `access_key` DISABLE KEYS */;
INSERT INTO `access_key` VALUES
(1,'Deploy Key','ssh',1,'-----BEGIN OPENSSH PRIVATE KEY-----\nbm8ga2V5IGF0IGFsbA==\n-----END OPENSSH PRIVATE KEY-----\n',NULL,NULL,NULL),
(2,'deploy key','login_password',1,'e3LMEojcHgc:AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==',NULL,NULL,NULL),
(3,'env.API_TOKEN','string',1,'qmLepcmMlr27Sr9+0OIjCE96Lb+qziYghw5Q3kddqjKankk=',4,NULL,NULL),
(4,'None','none',1,NULL,NULL,NULL,NULL),
(5,'tab	here, it\'s \\ \"quoted\" 100%_ ünïcode 🔑\nline','login_password',2,'AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==',NULL,NULL,NULL),
(6,'orphan','string',NULL,'LXEWQrcmsEQBYnypiyRKPjZA+JqakifBIH66jKM=',NULL,NULL,NULL),
(7,'in clear','string',1,NULL,NULL,NULL,'lay \\N here\r\n;');
/*!40000 ALTER TABLE `access_key` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `project`
--

DROP TABLE IF EXISTS `project`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `project` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `created` datetime NOT NULL,
  `name` varchar(255) NOT NULL,
  `alert` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `project`
--

LOCK TABLES `project` WRITE;
/*!40000 ALTER TABLE `project` DISABLE KEYS */;
INSERT INTO `project` VALUES
(1,'2024-10-25 00:43:48','My App',0),
(2,'2024-10-25 00:43:49','O\'Brien\'s \"second\" \\ app',1);
/*!40000 ALTER TABLE `project` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `project__environment`
--

DROP TABLE IF EXISTS `project__environment`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `project__environment` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `project_id` int(11) NOT NULL,
  `password` varchar(255) DEFAULT NULL,
  `json` longtext NOT NULL,
  `name` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `project__environment`
--

LOCK TABLES `project__environment` WRITE;
/*!40000 ALTER TABLE `project__environment` DISABLE KEYS */;
INSERT INTO `project__environment` VALUES
(4,1,NULL,'{\"a\":\"it\'s; \\n\"}','Prod');
/*!40000 ALTER TABLE `project__environment` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `project__repository`
--

DROP TABLE IF EXISTS `project__repository`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `project__repository` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `project_id` int(11) NOT NULL,
  `git_url` text NOT NULL,
  `ssh_key_id` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `project__repository`
--

LOCK TABLES `project__repository` WRITE;
/*!40000 ALTER TABLE `project__repository` DISABLE KEYS */;
INSERT INTO `project__repository` VALUES
(2,'app',1,'git@git.example.com:acme/app.git',1);
/*!40000 ALTER TABLE `project__repository` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `task__output`
--

DROP TABLE IF EXISTS `task__output`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `task__output` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `output` longtext DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `task__output`
--

LOCK TABLES `task__output` WRITE;
/*!40000 ALTER TABLE `task__output` DISABLE KEYS */;
INSERT INTO `task__output` VALUES
(1,'it\'s a line; -- no comment\nINSERT INTO `access_key` VALUES (9,\'x\');\n\\.\nCOPY public.access_key (id) FROM stdin;\n9\n\\.\n/* open');
/*!40000 ALTER TABLE `task__output` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-26 19:13:31
