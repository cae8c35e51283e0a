import { decodeAuthorize, decodeCaConfiguration } from '../../api/shapes/connect.ts';
import { parseSpiffeUri, spiffeUri } from '../../api/shapes/spiffe.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';
import { generateKeyPem } from '../../core/x509/keys.ts';
import { createSigningRequest, readSigningRequest } from '../../core/x509/signing-request.ts';
import { checkedRequest, settingsOf } from '../../server/ca/ca-config.ts';

/**
 * Mutated certificate requests, identities and configurations. The law: a value or an AppError, and what is accepted is
 * what was signed. FUZZ_RUNS sets how many, FUZZ_SEED which.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 3_000);
const random = new SeededRandom(Number(process.env.FUZZ_SEED ?? 1));
const URI = 'spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web';

function mutated(bytes: Buffer): Buffer {
  const out = Buffer.from(bytes);
  for (let count = 1 + Math.floor(random.next() * 4); count > 0; count--) {
    out[Math.floor(random.next() * out.length)] = Math.floor(random.next() * 256);
  }
  return random.next() < 0.2 ? out.subarray(0, Math.floor(random.next() * out.length)) : out;
}

async function lawful<T>(read: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return undefined;
  }
}

describe('certificate requests, fuzzed', () => {
  it(
    'are refused clearly, or are what was signed',
    async () => {
      const pem = await createSigningRequest(await generateKeyPem({ type: 'ec', bits: 256 }), URI);
      const der = Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64');
      for (let run = 0; run < RUNS; run++) {
        const body = mutated(der).toString('base64');
        const text = `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
        const read = await lawful(() =>
          readSigningRequest(random.next() < 0.1 ? mutated(Buffer.from(pem)).toString() : text),
        );
        if (read) expect(read.uri).toBe(URI);
      }
    },
    60_000 + RUNS * 20,
  );

  it('identities are read as they are written, or not at all', () => {
    for (let run = 0; run < RUNS; run++) {
      const text = mutated(Buffer.from(URI)).toString('latin1');
      const parsed = parseSpiffeUri(text);
      if (parsed) expect(parseSpiffeUri(spiffeUri(parsed.trustDomain, parsed.id))).toEqual(parsed);
    }
  });

  it('configurations and questions are a value or a clear error', async () => {
    const config = JSON.stringify({
      Provider: 'consul',
      Config: { LeafCertTTL: '72h', CSRMaxPerSecond: 5, PrivateKeyBits: 256 },
    });
    const question = JSON.stringify({ Target: 'db', ClientCertURI: URI, ClientCertSerial: '04:00' });
    for (let run = 0; run < RUNS; run++) {
      await lawful(() => settingsOf(checkedRequest(decodeCaConfiguration(mutated(Buffer.from(config))))));
      await lawful(() => decodeAuthorize(mutated(Buffer.from(question))));
    }
  });
});
