import type { Command } from '../cli/command.ts';
import { operatorToolsCommand } from '../cli/operator.ts';
import { runOperator } from '../operator/main.ts';
import { OPERATOR_FLAGS } from '../operator/options.ts';

/**
 * `lictor operator`: the reconcilers of one Kubernetes cluster; with `raft`, `autopilot` or `usage` the tools that Consul
 * has below this name.
 */
export const operatorCommand: Command = {
  name: 'operator',
  summary: 'Reconcile the custom resources of a Kubernetes cluster; or raft, autopilot and usage of the servers',
  program: operatorToolsCommand.program!.bind(operatorToolsCommand),
  own: {
    flags: OPERATOR_FLAGS,
    examples: ['lictor operator --http-addr http://lictor-server:8500', 'lictor operator raft list-peers'],
  },
  run: (argv, io) => {
    // Flags come first for the reconcilers, a word for the tools.
    if (argv[0] !== undefined && !argv[0].startsWith('-')) return operatorToolsCommand.run(argv, io);
    return runOperator(argv, io);
  },
};
