/** The first `maxBytes` bytes of a text, cut between characters. */
export function cutOutput(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes ? text : decodeCut(bytes.subarray(0, maxBytes));
}

/** Decodes bytes that may end inside a character; the incomplete character is left out. */
export function decodeCut(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true });
}

/**
 * A network error in the words Go gives it ("dial tcp 127.0.0.1:80: connect: connection refused"), because people and
 * scripts match on the outputs of Consul's checks.
 */
export function dialErrorText(error: unknown, target: string): string {
  const failure = rootCause(error);
  switch (failure.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${target}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${target}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${target}: connect: network is unreachable`;
    case 'ETIMEDOUT':
      return `dial tcp ${target}: i/o timeout`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostOf(target)}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostOf(target)}: server misbehaving`;
    case 'ECONNRESET':
      // Node's words for a connection that was closed in order, but without an answer.
      return failure.message === 'socket hang up' ? 'EOF' : `read tcp ${target}: connection reset by peer`;
    default:
      return failure.message || String(failure.code ?? 'unknown error');
  }
}

function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':'));
}

/** The first error with a system code: several addresses of one name fail together as an AggregateError. */
function rootCause(error: unknown): NodeJS.ErrnoException {
  const failure = error as NodeJS.ErrnoException & { errors?: unknown[] };
  if (failure?.errors?.length) return rootCause(failure.errors[0]);
  return typeof failure?.message === 'string' ? failure : new Error(String(error));
}
