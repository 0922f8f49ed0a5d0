/**
 * Runs on workerd, alone with the database, on a socket in the private data folder: brings the database up to date.
 * Body: [{name, sql}] in order; answers the names that were applied. The table is wrangler's own.
 */
const table = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

export default {
  /** @param {Request} request @param {{ DB: D1Database }} env */
  async fetch(request, env) {
    await env.DB.prepare(table).run();
    const { results } = await env.DB.prepare("SELECT name FROM d1_migrations").all();
    const applied = new Set(results.map(({ name }) => name));
    const made = [];
    for (const { name, sql } of await request.json()) {
      if (applied.has(name)) continue;
      // One transaction: a migration that fails leaves nothing behind, and no name.
      await env.DB.batch([
        env.DB.prepare(sql),
        env.DB.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
      ]);
      made.push(name);
    }
    return Response.json(made);
  },
};
