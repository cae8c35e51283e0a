import type { Command as Program } from 'commander';
import type { IngressGateway } from '../../api/shapes/config-entry/entry.ts';
import type { Intention } from '../../api/shapes/intention.ts';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import type { HttpApi } from '../http-api.ts';
import { EXACT, intentionText } from '../intention/shown.ts';
import { json } from '../output.ts';
import { wholeNumber } from '../pairs.ts';
import { type ClientFlags, repeated, subProgram, withApi, withClientFlags } from '../program.ts';

interface ExposeFlags extends ClientFlags {
  readonly service: string;
  readonly ingressGateway: string;
  readonly port: number;
  readonly protocol: string;
  readonly host?: readonly string[];
}

type Entry = Pick<IngressGateway, 'Listeners'> & { readonly ModifyIndex?: number };

/** Others may write the entry between our read and our write. */
const ATTEMPTS = 5;

/** `connect expose`: a service through an ingress gateway. */
export function addExpose(parent: Program, io: CommandIo): void {
  const examples = [
    'lictor connect expose -service=web -ingress-gateway=ingress -port=8080',
    'lictor connect expose -service=web -ingress-gateway=ingress -port=80 -protocol=http -host=web.example.com',
  ];
  const text =
    'Exposes a service through an ingress gateway: adds it to a listener of the gateway’s entry, and lets the gateway connect to it by an intention.';
  withClientFlags(subProgram(parent, 'expose', text, examples, io))
    .requiredOption('--service <name>', 'the service')
    .requiredOption('--ingress-gateway <name>', 'the gateway')
    .requiredOption('--port <port>', 'the port of the gateway’s listener', wholeNumber(1, 65_535))
    .option('--protocol <protocol>', 'tcp, http, http2 or grpc', 'tcp')
    .option('--host <name>', 'a host name that leads to the service; may be repeated', repeated)
    .action((flags: ExposeFlags) => expose(flags, io));
}

async function expose(flags: ExposeFlags, io: CommandIo): Promise<void> {
  const { service, ingressGateway: gateway } = flags;
  const intention = await withApi(flags, io, async (api) => {
    await writeEntry(api, flags);
    if (flags.format !== 'json') {
      io.stdout.write(`Successfully updated config entry for ingress service ${JSON.stringify(gateway)}\n`);
    }
    return allow(api, gateway, service);
  });
  const text = `${JSON.stringify(gateway)} -> ${JSON.stringify(service)}\n`;
  if (flags.format === 'json')
    io.stdout.write(json({ Service: service, IngressGateway: gateway, Intention: intention }));
  else if (intention === 'existing') io.stdout.write(`Intention already exists for ${text}`);
  else io.stdout.write(`Successfully set up intention for ${text}`);
}

async function writeEntry(api: HttpApi, flags: ExposeFlags): Promise<void> {
  const name = flags.ingressGateway;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const answer = await api.send('GET', `/v1/config/ingress-gateway/${encodeURIComponent(name)}`, { accept: [404] });
    const entry = answer.status === 404 ? {} : answer.json<Entry>();
    const body = { ...entry, Kind: 'ingress-gateway', Name: name, Listeners: withService(entry, flags) };
    const query = { cas: String(entry.ModifyIndex ?? 0) };
    if (await api.put<boolean>('/v1/config', { json: body, query })) return;
  }
  throw new AppError('conflict', `the entry of ${name} was changed by others all the time; try again`);
}

/** The listeners with the service on its port; one that is there already gets these hosts. */
export function withService(
  { Listeners = [] }: Entry,
  { service, port, protocol, host }: Pick<ExposeFlags, 'service' | 'port' | 'protocol' | 'host'>,
): NonNullable<Entry['Listeners']> {
  const added = { Name: service, ...(host ? { Hosts: host } : {}) };
  const listener = Listeners.find(({ Port }) => Port === port);
  if (!listener) return [...Listeners, { Port: port, Protocol: protocol, Services: [added] }];
  if ((listener.Protocol ?? 'tcp') !== protocol) {
    throw new AppError(
      'conflict',
      `the listener on port ${port} speaks ${listener.Protocol ?? 'tcp'}, not ${protocol}; choose another -port or -protocol`,
    );
  }
  const services = listener.Services ?? [];
  const known = services.some(({ Name }) => Name === service);
  const next = known
    ? services.map((one) => (one.Name === service ? { ...one, ...added } : one))
    : [...services, added];
  return Listeners.map((one) => (one === listener ? { ...one, Services: next } : one));
}

/** Whether the gateway was let in already. @throws AppError `conflict` when an intention keeps it out. */
async function allow(api: HttpApi, source: string, destination: string): Promise<'created' | 'existing'> {
  const query = { source, destination };
  const answer = await api.send('GET', EXACT, { query, accept: [404] });
  if (answer.status === 404) {
    await api.put(EXACT, { query, json: { Action: 'allow', SourceType: 'consul' } });
    return 'created';
  }
  const known = answer.json<Intention>();
  if (known.Action !== 'deny') return 'existing';
  throw new AppError(
    'conflict',
    `there is the intention ${intentionText(known)}; 'lictor intention create -replace ${source} ${destination}' changes it`,
  );
}
