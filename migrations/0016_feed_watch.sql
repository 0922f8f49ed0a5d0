-- Until when somebody may be reading the feed: the feed's object writes it before it reads for them, and again while it does.
-- Whoever changes a job's state reads it in the change itself: a change that finds nobody lies before the write, and so
-- before the first reading behind it.
CREATE TABLE feed_watch (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  until INTEGER NOT NULL
) STRICT;
INSERT INTO feed_watch (id, until) VALUES (1, 0);
