import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { request as httpRequest, STATUS_CODES } from '../../core/node-http.ts';
import type { CheckResult } from './check-state.ts';
import { guardedLookup, mayFollow, refusedHost } from './http-targets.ts';
import { cutOutput, decodeCut, dialErrorText } from './output.ts';
import type { HttpPlan } from './probe-plan.ts';

export interface HttpProbeDeps {
  readonly clock: Clock;
}

/** As Go's HTTP client: the tenth redirect is the last that is followed. */
const MAX_REDIRECTS = 10;

interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string[]>>;
}

/**
 * One HTTP request on a connection of its own (a kept connection would prove the connection, not the listener).
 * 2xx is passing, 429 warning, all else critical. Only the first `outputMaxBytes` of the body are read: the verdict
 * hangs on the status alone, and a body without end must not hold the check.
 */
export async function probeHttp(deps: HttpProbeDeps, plan: HttpPlan, signal: AbortSignal): Promise<CheckResult> {
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  let timedOut = false;
  const deadline = deps.clock.after(plan.timeoutMs, () => {
    timedOut = true;
    abort.abort();
  });
  const progress: Progress = { hop: firstHop(plan) };
  try {
    await follow(plan, progress, abort.signal);
    return resultOf(plan, progress);
  } catch (error) {
    // The status decides, also when the body then breaks off.
    if (progress.status !== undefined) return resultOf(plan, progress);
    const verb = plan.method.charAt(0) + plan.method.slice(1).toLowerCase();
    const reason = timedOut
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : dialErrorText(error, authorityOf(progress.hop.url));
    return { status: 'critical', output: cutOutput(`${verb} "${plan.target}": ${reason}`, plan.outputMaxBytes) };
  } finally {
    deadline.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

interface Progress {
  hop: Hop;
  status?: number;
  body?: string;
}

async function follow(plan: HttpPlan, progress: Progress, signal: AbortSignal): Promise<void> {
  for (let redirects = 0; ; redirects++) {
    const next = await request(plan, progress, signal);
    if (!next) return;
    if (redirects === MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    progress.hop = next;
  }
}

/** Sends one hop; gives the next one when the answer is a redirect to follow, else fills in status and body. */
async function request(plan: HttpPlan, progress: Progress, signal: AbortSignal): Promise<Hop | undefined> {
  const { hop } = progress;
  const refused = refusedHost(hostOf(hop.url));
  if (refused !== undefined) throw new Error(refused);
  const outgoing = open(plan, hop, signal);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve);
      // Stays after the answer has begun: late errors of a request that is thrown away say nothing more.
      outgoing.on('error', reject);
      outgoing.end(hop.body);
    });
    response.on('error', () => {});
    const next = plan.followRedirects ? redirectOf(hop, response) : undefined;
    if (next) return next;
    progress.status = response.statusCode;
    progress.body = await readHead(response, plan.outputMaxBytes);
    return undefined;
  } finally {
    outgoing.destroy();
  }
}

/**
 * A request that is not sent yet. The platform's own client: it costs about half of what a pool's does when each
 * connection serves one request.
 */
function open(plan: HttpPlan, hop: Hop, signal: AbortSignal): ClientRequest {
  const { url } = hop;
  const headers: Record<string, string | string[]> = {};
  // A header of one value as a string: Host must have this form.
  for (const [name, values] of Object.entries(hop.headers)) headers[name] = values.length === 1 ? values[0]! : values;
  if (hop.body !== '') headers['content-length'] ??= String(Buffer.byteLength(hop.body));
  const options = {
    host: hostOf(url),
    port: url.port,
    path: url.pathname + url.search,
    method: hop.method,
    headers,
    agent: false,
    lookup: guardedLookup,
    signal,
  } as const;
  return url.protocol === 'https:' ? httpsRequest({ ...options, ...tlsOptions(plan, url) }) : httpRequest(options);
}

function firstHop(plan: HttpPlan): Hop {
  const headers: Record<string, string[]> = {
    'user-agent': ['Consul Health Check'],
    accept: ['text/plain, text/*, */*'],
  };
  for (const [name, values] of Object.entries(plan.header)) headers[name.toLowerCase()] = [...values];
  if (plan.url.username) {
    const credentials = `${decodeURIComponent(plan.url.username)}:${decodeURIComponent(plan.url.password)}`;
    headers.authorization ??= [`Basic ${Buffer.from(credentials).toString('base64')}`];
  }
  return { url: plan.url, method: plan.method, body: plan.body, headers };
}

/**
 * The hop that a redirecting answer asks for (RFC 9110 section 15.4); undefined when it is none. Credentials go with it: it
 * leads to where they went before.
 */
function redirectOf(hop: Hop, response: IncomingMessage): Hop | undefined {
  const statusCode = response.statusCode!;
  const location = response.headers.location;
  if (![301, 302, 303, 307, 308].includes(statusCode) || typeof location !== 'string') return undefined;
  if (!URL.canParse(location, hop.url.href))
    throw new Error(`redirected to ${JSON.stringify(location)}, which is no URL`);
  const url = new URL(location, hop.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`unsupported protocol scheme "${url.protocol.slice(0, -1)}"`);
  }
  if (!mayFollow(hop.url, url)) {
    // Without user and password, which a URL may hold.
    throw new Error(
      `redirected to ${url.origin}, which is not followed; let the check ask there itself, or set DisableRedirects to see the answer`,
    );
  }
  const { headers } = hop;
  if (statusCode === 307 || statusCode === 308) return { url, method: hop.method, body: hop.body, headers };
  return { url, method: hop.method === 'HEAD' ? 'HEAD' : 'GET', body: '', headers };
}

async function readHead(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk.subarray(0, maxBytes - length));
      length += chunks.at(-1)!.length;
      if (length >= maxBytes) break;
    }
  } catch {
    // What came before the break-off is shown; the status has decided already.
  }
  return decodeCut(Buffer.concat(chunks));
}

function resultOf(plan: HttpPlan, progress: Progress): CheckResult {
  const code = progress.status!;
  const status = code >= 200 && code <= 299 ? 'passing' : code === 429 ? 'warning' : 'critical';
  const reason = STATUS_CODES[code];
  const output = `HTTP ${plan.method} ${plan.target}: ${code}${reason ? ` ${reason}` : ''} Output: ${progress.body ?? ''}`;
  return { status, output: cutOutput(output, plan.outputMaxBytes) };
}

function tlsOptions(plan: HttpPlan, url: URL): { servername?: string; rejectUnauthorized: boolean } {
  const host = hostOf(url);
  const servername = plan.tlsServerName || (isIP(host) ? '' : host);
  return { ...(servername ? { servername } : {}), rejectUnauthorized: !plan.tlsSkipVerify };
}

/** The host without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function authorityOf(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;
}
