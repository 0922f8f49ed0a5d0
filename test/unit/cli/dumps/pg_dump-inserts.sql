--
-- PostgreSQL database dump
--

\restrict 3gr1DEthaagSvbHI3pQ0jZthCiCJFGda4Y5b2qEys4Q7S7VFD191EjinQgXChK0

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: it(); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.it() RETURNS text
    LANGUAGE sql
    AS $_$ select 'it''s; $1 -- ' $_$;


ALTER FUNCTION public.it() OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: access_key; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.access_key (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    type character varying(255) NOT NULL,
    project_id integer,
    secret text,
    environment_id integer,
    user_id integer,
    plain text
);


ALTER TABLE public.access_key OWNER TO postgres;

--
-- Name: access_key_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.access_key_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.access_key_id_seq OWNER TO postgres;

--
-- Name: access_key_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.access_key_id_seq OWNED BY public.access_key.id;


--
-- Name: project; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.project (
    id integer NOT NULL,
    created timestamp without time zone NOT NULL,
    name character varying(255) NOT NULL,
    alert boolean DEFAULT false NOT NULL
);


ALTER TABLE public.project OWNER TO postgres;

--
-- Name: project__environment; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.project__environment (
    id integer NOT NULL,
    project_id integer NOT NULL,
    password character varying(255),
    json text NOT NULL,
    name character varying(255)
);


ALTER TABLE public.project__environment OWNER TO postgres;

--
-- Name: project__environment_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.project__environment_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.project__environment_id_seq OWNER TO postgres;

--
-- Name: project__environment_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.project__environment_id_seq OWNED BY public.project__environment.id;


--
-- Name: project__repository; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.project__repository (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    project_id integer NOT NULL,
    git_url text NOT NULL,
    ssh_key_id integer NOT NULL
);


ALTER TABLE public.project__repository OWNER TO postgres;

--
-- Name: project__repository_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.project__repository_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.project__repository_id_seq OWNER TO postgres;

--
-- Name: project__repository_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.project__repository_id_seq OWNED BY public.project__repository.id;


--
-- Name: project_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.project_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.project_id_seq OWNER TO postgres;

--
-- Name: project_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.project_id_seq OWNED BY public.project.id;


--
-- Name: task__output; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.task__output (
    id integer NOT NULL,
    output text
);


ALTER TABLE public.task__output OWNER TO postgres;

--
-- Name: task__output_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.task__output_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.task__output_id_seq OWNER TO postgres;

--
-- Name: task__output_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.task__output_id_seq OWNED BY public.task__output.id;


--
-- Name: access_key id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.access_key ALTER COLUMN id SET DEFAULT nextval('public.access_key_id_seq'::regclass);


--
-- Name: project id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project ALTER COLUMN id SET DEFAULT nextval('public.project_id_seq'::regclass);


--
-- Name: project__environment id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project__environment ALTER COLUMN id SET DEFAULT nextval('public.project__environment_id_seq'::regclass);


--
-- Name: project__repository id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project__repository ALTER COLUMN id SET DEFAULT nextval('public.project__repository_id_seq'::regclass);


--
-- Name: task__output id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.task__output ALTER COLUMN id SET DEFAULT nextval('public.task__output_id_seq'::regclass);


--
-- Data for Name: access_key; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.access_key VALUES (1, 'Deploy Key', 'ssh', 1, '-----BEGIN OPENSSH PRIVATE KEY-----
bm8ga2V5IGF0IGFsbA==
-----END OPENSSH PRIVATE KEY-----
', NULL, NULL, NULL);
INSERT INTO public.access_key VALUES (2, 'deploy key', 'login_password', 1, 'e3LMEojcHgc:AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==', NULL, NULL, NULL);
INSERT INTO public.access_key VALUES (3, 'env.API_TOKEN', 'string', 1, 'qmLepcmMlr27Sr9+0OIjCE96Lb+qziYghw5Q3kddqjKankk=', 4, NULL, NULL);
INSERT INTO public.access_key VALUES (4, 'None', 'none', 1, NULL, NULL, NULL, NULL);
INSERT INTO public.access_key VALUES (5, 'tab	here, it''s \ "quoted" 100%_ ünïcode 🔑
line', 'login_password', 2, 'AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==', NULL, NULL, NULL);
INSERT INTO public.access_key VALUES (6, 'orphan', 'string', NULL, 'LXEWQrcmsEQBYnypiyRKPjZA+JqakifBIH66jKM=', NULL, NULL, NULL);
INSERT INTO public.access_key VALUES (7, 'in clear', 'string', 1, NULL, NULL, NULL, 'lay \N here
;');


--
-- Data for Name: project; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.project VALUES (1, '2024-10-25 00:43:48', 'My App', false);
INSERT INTO public.project VALUES (2, '2024-10-25 00:43:49', 'O''Brien''s "second" \ app', true);


--
-- Data for Name: project__environment; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.project__environment VALUES (4, 1, NULL, '{"a":"it''s; \n"}', 'Prod');


--
-- Data for Name: project__repository; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.project__repository VALUES (2, 'app', 1, 'git@git.example.com:acme/app.git', 1);


--
-- Data for Name: task__output; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.task__output VALUES (1, 'it''s a line; -- no comment
INSERT INTO `access_key` VALUES (9,''x'');
\.
COPY public.access_key (id) FROM stdin;
9
\.
/* open');


--
-- Name: access_key_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.access_key_id_seq', 1, false);


--
-- Name: project__environment_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.project__environment_id_seq', 1, false);


--
-- Name: project__repository_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.project__repository_id_seq', 1, false);


--
-- Name: project_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.project_id_seq', 1, false);


--
-- Name: task__output_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.task__output_id_seq', 1, false);


--
-- Name: access_key access_key_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.access_key
    ADD CONSTRAINT access_key_pkey PRIMARY KEY (id);


--
-- Name: project__environment project__environment_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project__environment
    ADD CONSTRAINT project__environment_pkey PRIMARY KEY (id);


--
-- Name: project__repository project__repository_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project__repository
    ADD CONSTRAINT project__repository_pkey PRIMARY KEY (id);


--
-- Name: project project_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);


--
-- Name: task__output task__output_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.task__output
    ADD CONSTRAINT task__output_pkey PRIMARY KEY (id);


--
-- Name: access_key access_key_project_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.access_key
    ADD CONSTRAINT access_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);


--
-- PostgreSQL database dump complete
--

\unrestrict 3gr1DEthaagSvbHI3pQ0jZthCiCJFGda4Y5b2qEys4Q7S7VFD191EjinQgXChK0

