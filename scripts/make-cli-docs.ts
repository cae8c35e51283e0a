import { writeFileSync } from 'node:fs';
import { cliReference } from '../lictor/cli-reference.ts';
import { COMMANDS } from '../lictor/commands.ts';
import { describeCommands } from '../lictor/describe-commands.ts';

// Writes docs/cli.md from the tables of the commands.
writeFileSync(new URL('../docs/cli.md', import.meta.url), cliReference(await describeCommands(), COMMANDS));
