-- Every change of a job's state, in the order in which they were made. Triggers write it, inside the change itself:
-- no batch can forget it, and none that is rolled back leaves a row. AUTOINCREMENT: a position is never given twice.
CREATE TABLE job_changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  state TEXT NOT NULL,
  result TEXT,
  at INTEGER NOT NULL
) STRICT;
-- Who may read one project alone reads its own rows alone.
CREATE INDEX job_changes_by_project ON job_changes (project_id, seq);

CREATE TRIGGER jobs_tell_of_their_start AFTER INSERT ON jobs
BEGIN
  INSERT INTO job_changes (job_id, project_id, state, result, at)
  VALUES (NEW.id, NEW.project_id, NEW.state, NEW.result, CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;

CREATE TRIGGER jobs_tell_of_their_state AFTER UPDATE OF state ON jobs WHEN NEW.state <> OLD.state
BEGIN
  INSERT INTO job_changes (job_id, project_id, state, result, at)
  VALUES (NEW.id, NEW.project_id, NEW.state, NEW.result, CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
