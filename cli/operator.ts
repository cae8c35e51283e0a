import { addAutopilot } from './operator/autopilot.ts';
import { addRaft } from './operator/raft.ts';
import { addUsage } from './operator/usage.ts';
import { command, program } from './program.ts';

/** `lictor operator raft|autopilot|usage`: the tools for whoever operates the servers. */
export const operatorToolsCommand = command({
  name: 'operator',
  summary: 'Raft, autopilot and usage of the servers',
  program(io) {
    const examples = [
      'lictor operator raft list-peers',
      'lictor operator autopilot state',
      'lictor operator usage instances',
    ];
    const root = program('lictor operator', 'Tools for whoever operates the servers.', examples, io);
    addRaft(root, io);
    addAutopilot(root, io);
    addUsage(root, io);
    return root;
  },
});
