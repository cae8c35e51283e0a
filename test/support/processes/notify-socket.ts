import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HERE, type Place } from '../network/broken-network.ts';
import { findProgram } from '../require-real.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

export const CAN_NOTIFY = ['python3', 'systemd-notify'].every((program) => findProgram(program));
export const NOTIFY_NEEDS = 'apt-get install python3 systemd';

/**
 * Node has no datagram sockets of Unix. With BARRIER=1 comes a descriptor whose end systemd-notify waits for: taking the
 * message closes it.
 */
const PROGRAM = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print('listens', flush=True)
while True:
    text = listener.recvmsg(4096)[0].decode()
    if text != 'BARRIER=1':
        print(text.replace('\\n', ' '), flush=True)
`;

/** The end of systemd's notification socket that a service manager holds. */
export class NotifySocket {
  /** A line for each message, in order. */
  readonly messages: string[];
  /** Where a program has it as its NOTIFY_SOCKET. */
  readonly place: Place;
  readonly close: () => void;

  private constructor(messages: string[], place: Place, close: () => void) {
    this.messages = messages;
    this.place = place;
    this.close = close;
  }

  static async open(): Promise<NotifySocket> {
    const folder = tempFolder('notify');
    const path = join(folder, 'socket');
    const child = spawn('python3', ['-c', PROGRAM, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const close = () => {
      child.kill('SIGKILL');
      removeFolder(folder);
    };
    const messages: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      createInterface(child.stdout).on('line', (line) => (line === 'listens' ? resolve() : messages.push(line)));
    });
    return new NotifySocket(messages, { ...HERE, inside: ['env', `NOTIFY_SOCKET=${path}`] }, close);
  }
}
