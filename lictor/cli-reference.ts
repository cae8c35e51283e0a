import { COMMAND_GROUPS, type CommandRow } from './commands.ts';
import type { CommandDescription } from './describe-commands.ts';
import { withDescendants } from './describe-commands.ts';

/** The flags of `withClientFlags`, told once instead of with each command. */
const CLIENT_FLAGS: ReadonlySet<string> = new Set(
  'http-addr token token-file ca-file ca-path client-cert client-key tls-server-name datacenter stale namespace partition format'.split(
    ' ',
  ),
);

/** docs/cli.md, from the tables that run the commands. */
export function cliReference(
  commands: readonly CommandDescription[],
  rows: Readonly<Record<string, CommandRow>>,
): string {
  const groups = COMMAND_GROUPS.map((group) => {
    const own = commands.filter((one) => rows[one.path[0]!]?.group === group);
    return own.length === 0 ? '' : `## ${group}\n\n${own.flatMap(withDescendants).map(section).join('')}`;
  });
  return `# Commands

Made from the commands themselves by \`make cli-docs\`; do not edit.

Flags take one dash or two, and their value after a space or \`=\`. *Client flags* are those of every command that asks an
agent: \`-http-addr\`, \`-token\`, \`-token-file\`, \`-ca-file\`, \`-ca-path\`, \`-client-cert\`, \`-client-key\`, \`-tls-server-name\`,
\`-datacenter\`, \`-stale\`, \`-namespace\` and \`-format\`; the variables \`CONSUL_HTTP_ADDR\`, \`CONSUL_HTTP_TOKEN\`,
\`CONSUL_HTTP_TOKEN_FILE\`, \`CONSUL_HTTP_AUTH\`, \`CONSUL_HTTP_SSL\`, \`CONSUL_HTTP_SSL_VERIFY\`, \`CONSUL_CACERT\`,
\`CONSUL_CAPATH\`, \`CONSUL_CLIENT_CERT\`, \`CONSUL_CLIENT_KEY\`, \`CONSUL_TLS_SERVER_NAME\` and \`CONSUL_NAMESPACE\` say the same,
and a \`LICTOR_\` name wins over them.

${groups.filter((group) => group !== '').join('')}`;
}

function section(one: CommandDescription): string {
  const client =
    one.flags.some((flag) => flag.name === 'http-addr') && one.flags.some((flag) => flag.name === 'partition');
  const own = one.flags.filter((flag) => !client || !CLIENT_FLAGS.has(flag.name));
  const rows = own.map((flag) => `| \`-${flag.name}${flag.value ? ` <${flag.value}>` : ''}\` | ${cell(flag.text)} |\n`);
  const line = ['lictor', ...one.path, one.args, one.flags.length > 0 ? '[flags]' : ''].filter((part) => part !== '');
  return `${'#'.repeat(2 + one.path.length)} ${one.path.join(' ')}

${one.summary}${/[.!?]$/.test(one.summary) ? '' : '.'}${client ? ' Client flags.' : ''}

\`\`\`console
$ ${line.join(' ')}
${one.examples.map((example) => `$ ${example}\n`).join('')}\`\`\`

${rows.length > 0 ? `| Flag | What it does |\n| --- | --- |\n${rows.join('')}\n` : ''}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
