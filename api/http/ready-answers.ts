import type { IncomingMessage } from 'node:http';
import type { RouteResponse } from './route.ts';

/** Longer URLs are not remembered: what clients send must not fill the memory. */
const MAX_URL_LENGTH = 256;
const MAX_URLS = 16_384;

/** Headers that may change what a URL asks for, or that announce a body; lower case. */
const TELLING_HEADERS = new Set([
  'x-consul-namespace',
  'x-consul-partition',
  'x-lictor-agent',
  'cache-control',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
]);

/** How to answer a URL again. */
export interface ReadyAnswer {
  /** The path of its route. */
  readonly route: string;
  /** Counts an answer with status 200. */
  readonly count: () => void;
  again(): RouteResponse | undefined;
}

/**
 * GETs whose URL alone decides what is asked: who asks again is answered without routing, decoding and parsing. What is
 * remembered is how to read the data, not the data.
 */
export class ReadyAnswers {
  readonly #known = new Map<string, ReadyAnswer>();
  readonly #counter: (route: string) => () => void;

  /** `counter` gives what counts the answers of a route. */
  constructor(counter: (route: string) => () => void) {
    this.#counter = counter;
  }

  /** Forgets all, when what the URLs ask for may have changed. */
  clear(): void {
    this.#known.clear();
  }

  /** Looks at the next request of this URL anew. */
  forget(request: IncomingMessage): void {
    this.#known.delete(request.url ?? '');
  }

  /** How to answer this request; undefined when it has to be looked at. */
  find(request: IncomingMessage): ReadyAnswer | undefined {
    if (request.method !== 'GET') return undefined;
    const known = this.#known.get(request.url ?? '');
    return known && isPlain(request) ? known : undefined;
  }

  /** Remembers the request when its answer can be given again. */
  note(request: IncomingMessage, route: string, answer: RouteResponse): void {
    const { url = '' } = request;
    if (!answer.again || request.method !== 'GET' || url.length > MAX_URL_LENGTH || this.#known.has(url)) return;
    if (!isPlain(request)) return;
    this.#known.set(url, { route, count: this.#counter(route), again: answer.again });
    if (this.#known.size > MAX_URLS) this.#known.delete(this.#known.keys().next().value!);
  }
}

/**
 * Whether the headers of a request change nothing of what its URL asks for. Looks at the raw ones: making them an object
 * would cost more than the rest of the answer.
 */
export function isPlain({ rawHeaders }: IncomingMessage): boolean {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (TELLING_HEADERS.has(rawHeaders[at]!.toLowerCase())) return false;
  }
  return true;
}

/** The value of a header of the request, as it was sent. */
export function rawHeader({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at]!;
    if (header.length === name.length && header.toLowerCase() === name) return rawHeaders[at + 1];
  }
  return undefined;
}
