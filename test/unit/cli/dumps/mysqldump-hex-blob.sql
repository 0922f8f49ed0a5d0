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
  `name` varbinary(255) DEFAULT NULL,
  `type` varchar(255) NOT NULL,
  `project_id` int(11) DEFAULT NULL,
  `secret` blob DEFAULT NULL,
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
(1,0x4465706C6F79204B6579,'ssh',1,0x2D2D2D2D2D424547494E204F50454E5353482050524956415445204B45592D2D2D2D2D0A626D386761325635494746304947467362413D3D0A2D2D2D2D2D454E44204F50454E5353482050524956415445204B45592D2D2D2D2D0A,NULL,NULL,NULL),
(2,0x6465706C6F79206B6579,'login_password',1,0x65334C4D456F6A634867633A41414543417751464267634943516F4C765A7633704F6C414A3037566358614C5048624F2B7633797058496F572F73393948312F7547417843696A4A7A544A6B5568397A71504D4952563372634237704A4237703231786D414D644D535258425A773D3D,NULL,NULL,NULL),
(3,0x656E762E4150495F544F4B454E,'string',1,0x716D4C6570636D4D6C7232375372392B304F496A434539364C622B717A69596768773551336B6464716A4B616E6B6B3D,4,NULL,NULL),
(4,0x4E6F6E65,'none',1,NULL,NULL,NULL,NULL),
(5,0x74616209686572652C2069742773205C202271756F7465642220313030255F20C3BC6EC3AF636F646520F09F94910A6C696E65,'login_password',2,0x41414543417751464267634943516F4C765A7633704F6C414A3037566358614C5048624F2B7633797058496F572F73393948312F7547417843696A4A7A544A6B5568397A71504D4952563372634237704A4237703231786D414D644D535258425A773D3D,NULL,NULL,NULL),
(6,0x6F727068616E,'string',NULL,0x4C5845575172636D73455142596E79706979524B506A5A412B4A71616B696642494836366A4B4D3D,NULL,NULL,NULL),
(7,0x696E20636C656172,'string',1,NULL,NULL,NULL,'lay \\N here\r\n;');
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
  `name` varbinary(255) DEFAULT NULL,
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
(1,'2024-10-25 00:43:48',0x4D7920417070,0),
(2,'2024-10-25 00:43:49',0x4F27427269656E277320227365636F6E6422205C20617070,1);
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
