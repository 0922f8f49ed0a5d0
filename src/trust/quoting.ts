/** Text inside other languages: a git ref may hold quotes, dollars and backquotes. */

/** One word of a POSIX shell. */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A string of CEL: JSON's escapes are among its own, but for lone surrogates, which refs cannot hold. */
export function celQuoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** A string of Terraform's language. */
export function hclQuoted(text: string): string {
  return hclLiteral(JSON.stringify(text));
}

/** Text in a quoted string or heredoc of Terraform's, where `${` and `%{` begin a template that Terraform would run. */
export function hclLiteral(text: string): string {
  return text.replace(/[$%](?=\{)/g, (sign) => sign + sign);
}

/** A string of SQL. */
export function sqlQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
