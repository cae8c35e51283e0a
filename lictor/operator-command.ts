import type { Command } from '../cli/command.ts';
import { runOperator } from '../operator/main.ts';

/** `lictor operator`: the reconcilers of one Kubernetes cluster. */
export const operatorCommand: Command = {
  name: 'operator',
  summary: 'Reconcile the custom resources of a Kubernetes cluster into the catalog',
  run: (argv, io) => runOperator(argv, io),
};
