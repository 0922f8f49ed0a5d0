-- What stands in a token's subject is never given to another (OpenID Connect Core section 2: `sub` is never reassigned):
-- a policy somewhere may still trust it long after its project is deleted.
CREATE TABLE subject_names (
  repository_name TEXT PRIMARY KEY,
  project_id TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

INSERT INTO subject_names (repository_name, project_id) SELECT repository_name, id FROM projects;

CREATE TRIGGER projects_take_their_names AFTER INSERT ON projects
BEGIN INSERT INTO subject_names (repository_name, project_id) VALUES (NEW.repository_name, NEW.id); END;

CREATE TRIGGER projects_keep_their_names BEFORE UPDATE OF id, repository_name ON projects
WHEN NEW.id <> OLD.id OR NEW.repository_name <> OLD.repository_name
BEGIN SELECT RAISE(ABORT, 'a name in a subject does not change'); END;

CREATE TRIGGER subject_names_never_updated BEFORE UPDATE ON subject_names
BEGIN SELECT RAISE(ABORT, 'a name in a subject is never reused'); END;
CREATE TRIGGER subject_names_never_deleted BEFORE DELETE ON subject_names
BEGIN SELECT RAISE(ABORT, 'a name in a subject is never reused'); END;

CREATE TRIGGER organization_keeps_its_name BEFORE UPDATE OF id, name ON organization
WHEN NEW.id <> OLD.id OR NEW.name <> OLD.name
BEGIN SELECT RAISE(ABORT, 'a name in a subject does not change'); END;

-- Settings of the whole organization, as JSON.
ALTER TABLE organization ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
