import { encode, type Packet } from 'dns-packet';
import { RECORD_TYPES } from '../../../dns/wire/record.ts';
import { readResponse } from '../../support/dig.ts';
import { framed, TcpClient, udpExchange } from '../../support/dns-client.ts';
import { eventually } from '../../support/eventually.ts';
import type { Answer } from './answer.ts';
import { type Context, fill } from './context.ts';
import type { Step } from './step.ts';

const SECTIONS = ['answer', 'authority', 'additional'] as const;
const WITHIN_MS = 5_000;

/** Asks the question of a step; the answer's `json` has the form of `expect`. */
export async function sendDns(context: Context, step: Step): Promise<Answer> {
  const [name = '', type = ''] = fill(context, step.dns!).split(/ (?=\S+$)/);
  const packet = queryOf(name, type, step.edns);
  const raw = step.tcp ? await overTcp(packet, context.dnsPort) : await udpExchange(packet, context.dnsPort, WITHIN_MS);
  const json = raw ? documentOf(raw) : { is: 'no answer' };
  return { status: 0, headers: {}, json, raw: Buffer.from(raw ?? []) };
}

/** The part of a DNS answer that is compared. */
export function observedDns(answer: Answer, step: Step): Record<string, unknown> {
  const seen = { ...(answer.json as Record<string, unknown>) };
  for (const section of SECTIONS) {
    const records = (seen[section] ?? []) as string[];
    const range = step.count?.[section];
    if (range) {
      const within = range[0] <= records.length && records.length <= range[1] ? 'within' : 'outside';
      const types = [...new Set(records.map((record) => record.split(' ')[2]!))].sort();
      seen[section] = `${within} [${range.join(', ')}] of types [${types.map((one) => `'${one}'`).join(', ')}]`;
    } else if (step.waive?.includes(section) || records.length === 0) delete seen[section];
  }
  return seen;
}

function queryOf(name: string, type: string, edns: number | undefined): Buffer {
  if (!(type in RECORD_TYPES)) throw new Error(`unknown type ${type}`);
  const labels = name.split('.').filter((label) => label !== '');
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: edns,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return encode({
    type: 'query',
    id: 4242,
    flags: 0x100,
    questions: [{ type, name: labels.join('.') || '.', class: 'IN' }],
    additionals: edns === undefined ? [] : [opt],
  } as unknown as Packet);
}

async function overTcp(packet: Buffer, port: number): Promise<Uint8Array | undefined> {
  const client = await TcpClient.open(port);
  client.socket.write(framed(packet));
  try {
    return await eventually(() => client.messages[0] ?? Promise.reject(new Error('no answer yet')), {
      withinMs: WITHIN_MS,
    });
  } catch {
    return undefined;
  } finally {
    client.socket.destroy();
  }
}

function documentOf(raw: Uint8Array): Record<string, unknown> {
  const { answer } = readResponse(raw);
  const words = [answer.is.replace(/ ra$/, ''), 'rd'];
  if (answer.is.endsWith(' ra')) words.push('ra');
  if (answer.edns !== undefined) words.push(`edns:${answer.edns}`);
  const lines = (records: readonly string[]) => records.map(recordLine).sort();
  return {
    is: words.join(' '),
    question: answer.question.map((line) => line.replace(/ (\S+)$/, '. $1')),
    answer: lines(answer.answer),
    authority: lines(answer.authority),
    additional: lines(answer.additional),
  };
}

/** The record as it was recorded: the owner, and names in it, in lower case with their final dot. */
function recordLine(line: string): string {
  const [name = '', ttl = '', type = '', ...data] = line.split(' ');
  const owner = `${name.toLowerCase()}. ${ttl} ${type}`;
  if (type === 'TXT')
    return `${owner} [${textsOf(data.join(' '))
      .map((text) => JSON.stringify(text))
      .join(', ')}]`;
  if (type === 'SOA') return `${owner} ${data[0]}. ${data[1]}. ${data.slice(2).join(' ')}`;
  if (['SRV', 'CNAME', 'NS', 'PTR'].includes(type))
    return `${owner} ${[...data.slice(0, -1), `${data.at(-1)!.toLowerCase()}.`].join(' ')}`;
  return `${owner} ${data.join(' ')}`;
}

/** The strings of a TXT record, which `readResponse` prints as JSON texts one after the other. */
function textsOf(printed: string): string[] {
  return (printed.match(/"(?:[^"\\]|\\.)*"/g) ?? []).map((text) => JSON.parse(text) as string);
}
