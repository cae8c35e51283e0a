import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AwsV4Signer } from 'aws4fetch';
import { request } from 'undici';
import { AppError, errorText } from '../../core/errors.ts';
import { idOf, type SnapshotTarget } from './snapshot-target.ts';

export interface S3Settings {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly region: string;
  readonly bucket: string;
  readonly keyPrefix: string;
  /** E.g. `https://minio.example.org:9000`; '' for Amazon's own. */
  readonly endpoint: string;
  readonly serverSideEncryption: boolean;
  readonly kmsKey: string;
  /** Every snapshot gets this name, in place of the one before; '' for one each. */
  readonly staticName: string;
}

/** One request may send 5 GB (Amazon S3, "PutObject"); a slow line needs its time. */
const PUT_MS = 3600_000;
const CALL_MS = 30_000;
/** Pages of a list; far above what retention leaves. */
const MAX_PAGES = 1000;

interface Call {
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
  readonly ms?: number;
}

/** A bucket of an S3-compatible storage, by path-style requests. A snapshot is there whole or not at all, as S3 puts are. */
export class S3Target implements SnapshotTarget {
  readonly name: string;
  readonly keepsSeveral: boolean;
  readonly #settings: S3Settings;
  readonly #base: string;
  readonly #before: string;

  constructor(settings: S3Settings) {
    const { bucket, keyPrefix, endpoint, region, staticName } = settings;
    this.#settings = settings;
    this.#base = `${(endpoint || `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '')}/${bucket}`;
    this.#before = keyPrefix === '' || keyPrefix.endsWith('/') ? keyPrefix : `${keyPrefix}-`;
    this.keepsSeveral = staticName === '';
    this.name = `s3://${bucket}/${staticName || this.#before}`;
  }

  async put(id: string, file: string, signal: AbortSignal): Promise<void> {
    const key = this.#key(id);
    const { size } = await stat(file);
    // S3 refuses what does not have this sum.
    const sum = createHash('sha256');
    await pipeline(createReadStream(file), sum, { signal });
    const headers = {
      'content-length': String(size),
      'x-amz-content-sha256': sum.digest('hex'),
      'content-type': 'application/octet-stream',
      ...this.#encryption(),
    };
    await this.#call('PUT', { key, headers, body: createReadStream(file), ms: PUT_MS }, signal);
    const { length } = await this.#call('HEAD', { key }, signal);
    if (length !== size) throw new AppError('unavailable', `${this.#base}/${key} has ${length} of ${size} bytes`);
  }

  async list(signal: AbortSignal): Promise<string[]> {
    const ids: string[] = [];
    let token = '';
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { 'list-type': '2', prefix: this.#before, ...(token ? { 'continuation-token': token } : {}) };
      const { text } = await this.#call('GET', { query }, signal);
      for (const key of elements(text, 'Key')) ids.push(...[idOf(key, this.#before) ?? []].flat());
      token = elements(text, 'NextContinuationToken')[0] ?? '';
      if (token === '') return ids;
    }
    throw new AppError('unavailable', `${this.name} holds more than ${ids.length} snapshots; choose another prefix`);
  }

  async remove(id: string, signal: AbortSignal): Promise<void> {
    await this.#call('DELETE', { key: this.#key(id) }, signal);
  }

  #key(id: string): string {
    return this.#settings.staticName || `${this.#before}${id}.snap`;
  }

  #encryption(): Record<string, string> {
    const { serverSideEncryption, kmsKey } = this.#settings;
    if (kmsKey !== '') {
      return { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': kmsKey };
    }
    return serverSideEncryption ? { 'x-amz-server-side-encryption': 'AES256' } : {};
  }

  async #call(method: 'GET' | 'PUT' | 'HEAD' | 'DELETE', call: Call, signal: AbortSignal) {
    const path = (call.key ?? '').split('/').map(encodeURIComponent).join('/');
    const url = new URL(call.key === undefined ? this.#base : `${this.#base}/${path}`);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const what = `${method} ${url.origin}${url.pathname}`;
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#settings;
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      headers: { ...call.headers },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
      region,
      service: 's3',
    }).sign();
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(call.ms ?? CALL_MS)]);
    try {
      const answer = await request(signed.url.href, {
        method,
        headers: { ...Object.fromEntries(signed.headers.entries()), ...call.headers },
        body: call.body ?? null,
        signal: deadline,
        headersTimeout: call.ms ?? CALL_MS,
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw refused(what, answer.statusCode, text);
      return { text, length: Number(answer.headers['content-length'] ?? Number.NaN) };
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('unavailable', `${what}: ${errorText(error)}; check s3_endpoint and the network`, {
        cause: error,
      });
    } finally {
      call.body?.destroy();
    }
  }
}

const ADVICE: Readonly<Record<number, string>> = {
  301: '; s3_region is not the bucket’s',
  400: '; check s3_region, and the clock of this machine',
  403: '; check access_key_id and secret_access_key, and what they may do: s3:PutObject, GetObject, ListBucket, DeleteObject',
  404: '; check s3_bucket and s3_endpoint',
};

function refused(what: string, status: number, body: string): AppError {
  const said = [elements(body, 'Code')[0], elements(body, 'Message')[0]].filter(Boolean).join(': ');
  return new AppError('unavailable', `${what}: ${status}${said ? ` ${said}` : ''}${ADVICE[status] ?? ''}`);
}

/** Texts of the elements of this name; S3's answers nest none in itself. */
function elements(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'));
  return [...found].map(([, text]) => unescaped(text!));
}

function unescaped(text: string): string {
  const marks: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => marks[name]!);
}
