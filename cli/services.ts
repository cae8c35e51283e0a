import { command, program } from './program.ts';
import { addExport, addExportedServices } from './services/export.ts';
import { addDeregister, addRegister } from './services/register.ts';

/** `lictor services register|deregister|export|exported-services`. */
export const servicesCommand = command({
  name: 'services',
  summary: 'Register and deregister services of this agent, and export services to peers',
  program(io) {
    const examples = ['lictor services register web.hcl', 'lictor services deregister -id=web'];
    const root = program('lictor services', 'Services of this agent, from files or flags.', examples, io);
    addRegister(root, io);
    addDeregister(root, io);
    addExport(root, io);
    addExportedServices(root, io);
    return root;
  },
});
