import { DockerStream } from '../../agent/checks/docker-stream.ts';
import { decodeHealthResponse, encodeHealthRequest } from '../../agent/checks/grpc-health.ts';
import { SeededRandom } from '../../core/random.ts';

const runs = Number(process.env.FUZZ_RUNS ?? 2000);

describe('decoders of checks', () => {
  it('read or refuse any health answer', () => {
    const random = new SeededRandom(7);
    for (let run = 0; run < runs; run++) {
      const body = bytes(random, 24);
      const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]);
      if (run % 3 === 0) frame[Math.floor(random.next() * frame.length)] = Math.floor(random.next() * 256);
      try {
        expect(typeof decodeHealthResponse(frame)).toBe('number');
      } catch (error) {
        expect((error as Error).message).toMatch(/health answer/);
      }
    }
  });

  it('hand on the same payloads however a Docker stream is cut', () => {
    const random = new SeededRandom(8);
    for (let run = 0; run < runs / 10; run++) {
      const payloads = Array.from({ length: 4 }, () => bytes(random, 40));
      const stream = Buffer.concat(payloads.flatMap((one) => [header(one.length), one]));
      const got: Uint8Array[] = [];
      const decoder = new DockerStream((chunk) => got.push(chunk));
      for (let at = 0; at < stream.length; ) {
        const end = at + 1 + Math.floor(random.next() * 12);
        decoder.push(stream.subarray(at, end));
        at = end;
      }
      expect(Buffer.concat(got)).toEqual(Buffer.concat(payloads));
    }
  });

  it('write a request whose length is right', () => {
    const frame = encodeHealthRequest('x'.repeat(300));
    expect(frame.readUInt32BE(1)).toBe(frame.length - 5);
  });
});

function header(length: number): Buffer {
  const bytesOf = Buffer.alloc(8, 1);
  bytesOf.writeUInt32BE(length, 4);
  return bytesOf;
}

function bytes(random: SeededRandom, max: number): Buffer {
  return Buffer.from(Array.from({ length: Math.floor(random.next() * max) }, () => Math.floor(random.next() * 256)));
}
