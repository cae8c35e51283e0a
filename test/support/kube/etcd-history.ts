/**
 * Forgets etcd's history up to now, physically. A watch that resumes before this point is then answered 410 Gone by an
 * API server that has been restarted since (a running one still serves it from its own watch cache).
 * Uses etcd's JSON gateway (etcd.io/docs/v3.4/dev-guide/api_grpc_gateway).
 */
export async function compactEtcd(url: string): Promise<number> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const read = await post<{ header: { revision: string } }>(`${url}/v3/kv/range`, { key: base64('compact-probe') });
  await post(`${url}/v3/kv/compaction`, { revision: read.header.revision, physical: true });
  return Number(read.header.revision);
}

async function post<T>(url: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}
