import { addCheck } from './intention/check.ts';
import { addCreate } from './intention/create.ts';
import { addDelete, addGet, addList, addMatch } from './intention/read.ts';
import { command, program } from './program.ts';

/** `lictor intention create|list|get|match|check|delete`: which service may call which. */
export const intentionCommand = command({
  name: 'intention',
  summary: 'Say which service may call which, and check it',
  program(io) {
    const examples = [
      'lictor intention create web db',
      "lictor intention create -deny web '*'",
      'lictor intention check web db',
    ];
    const text =
      'Intentions say which service may call which. * stands for every service, peer:NAME/… for one of a peer.';
    const root = program('lictor intention', text, examples, io);
    addCheck(root, io);
    addCreate(root, io);
    addDelete(root, io);
    addGet(root, io);
    addList(root, io);
    addMatch(root, io);
    return root;
  },
});
