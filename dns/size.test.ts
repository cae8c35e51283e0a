import { FakeClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { type Random, SeededRandom } from '../core/random.ts';
import { Dig } from '../test/support/dig.ts';
import { FakeCatalogReader } from '../test/support/fake-catalog-reader.ts';
import { answerSettings, type DnsOptions } from './dns-options.ts';
import { createResponder } from './responder.ts';

const LONG_TEXT = 'x'.repeat(300);

function catalog(): FakeCatalogReader {
  const reader = new FakeCatalogReader();
  for (let i = 1; i <= 100; i++) {
    reader.addNode(`m${i}`, `10.34.0.${i}`, i > 90 ? { Meta: { text: LONG_TEXT } } : {});
    reader.addInstance({ node: `m${i}`, service: 'many' });
  }
  for (let i = 1; i <= 3; i++) {
    reader.addNode(`same${i}`, '10.36.0.1').addInstance({ node: `same${i}`, service: 'same' });
    reader.addInstance({ node: `m${90 + i}`, service: 'texts', Port: i });
  }
  reader
    .addInstance({ node: 'same1', service: 'twice', Port: 1 })
    .addInstance({ node: 'same1', service: 'twice', Port: 2 });
  reader.addInstance({ node: 'same1', service: 'twice', Port: 2 });
  for (let i = 0; i < 5000; i++)
    reader.addInstance({ node: 'm1', service: 'huge', Address: `10.${i >> 8}.${i & 255}.1`, Port: i });
  reader.addNode('wordy', '10.0.0.1', { Meta: Object.fromEntries(['a', 'b', 'c'].map((key) => [key, LONG_TEXT])) });
  return reader;
}

function dig(options: Partial<DnsOptions> = {}, random: Random = new SeededRandom(3)): Dig {
  const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1', ...options });
  const deps = {
    reader,
    clock: new FakeClock(),
    log: silentLogger,
    metrics: new Metrics(),
    random,
  };
  return new Dig(createResponder(deps, { settings, lookupTimeoutMs: 2_000 }));
}
const reader = catalog();

/** `[name type, how asked, what comes]`; `answers` and `additional` count records. */
type Row = [
  string,
  { edns?: number; tcp?: boolean },
  { is?: string; answers: number | [number, number]; additional?: number; max?: number },
];

function sizes(options: Partial<DnsOptions>, rows: Row[]): void {
  it.each(rows)('%s %j', async (question, how, expected) => {
    const [name, type] = question.split(' ') as [string, string];
    const seen = await dig(options).ask(name, type, how);
    const [low, high] = Array.isArray(expected.answers) ? expected.answers : [expected.answers, expected.answers];
    expect(seen.is).toBe(expected.is ?? 'NOERROR aa');
    expect(seen.answer.length).toBeGreaterThanOrEqual(low);
    expect(seen.answer.length).toBeLessThanOrEqual(high);
    if (expected.additional !== undefined) expect(seen.additional).toHaveLength(expected.additional);
    if (expected.max !== undefined) expect(seen.size).toBeLessThanOrEqual(expected.max);
    expect(seen.edns).toBe(how.edns);
  });
}

describe('answer limits and sizes', () => {
  describe('by default', () => {
    sizes({}, [
      ['many.service.consul A', {}, { answers: 3, max: 512 }],
      ['many.service.consul ANY', {}, { answers: 3, max: 512 }],
      ['many.service.consul SRV', {}, { answers: 3, additional: 3, max: 512 }],
      ['many.service.consul A', { edns: 512 }, { answers: 3, max: 512 }],
      ['many.service.consul A', { edns: 100 }, { answers: 3, max: 512 }],
      ['many.service.consul A', { edns: 4096 }, { answers: 100, max: 4096 }],
      ['many.service.consul A', { edns: 1232 }, { is: 'NOERROR aa tc', answers: [60, 80], max: 1232 }],
      ['many.service.consul A', { tcp: true }, { answers: 100 }],
      ['many.service.consul SRV', { tcp: true }, { answers: 100, additional: 110 }],
      ['many.service.consul A', { tcp: true, edns: 512 }, { answers: 100 }],
      ['same.service.consul A', {}, { answers: 1 }],
      ['same.service.consul SRV', {}, { answers: 3, additional: 3 }],
      ['twice.service.consul SRV', {}, { answers: 2, additional: 2 }],
      // Metadata goes before answers do, and its loss needs no retry over TCP.
      ['texts.service.consul SRV', {}, { answers: 3, additional: 3, max: 512 }],
      ['texts.service.consul SRV', { edns: 4096 }, { answers: 3, additional: 6 }],
      ['wordy.node.consul A', {}, { answers: 1, additional: 0 }],
      ['wordy.node.consul AAAA', {}, { answers: 0, additional: 0 }],
      ['wordy.node.consul TXT', {}, { is: 'NOERROR aa tc', answers: 1, max: 512 }],
      ['wordy.node.consul TXT', { tcp: true }, { answers: 3 }],
      ['huge.service.consul SRV', { tcp: true }, { answers: [1, 1024], max: 65_523 }],
      ['huge.service.consul A', { tcp: true }, { answers: [3000, 4096], max: 65_523 }],
      ['huge.service.consul A', { edns: 65_535 }, { is: 'NOERROR aa tc', answers: [3000, 5000], max: 65_467 }],
    ]);
  });

  describe('with a_record_limit 2', () => {
    sizes({ aRecordLimit: 2 }, [
      ['many.service.consul A', {}, { answers: 2 }],
      ['many.service.consul A', { tcp: true }, { answers: 2 }],
      ['many.service.consul ANY', { edns: 4096 }, { answers: 2 }],
      ['many.service.consul SRV', { tcp: true }, { answers: 100 }],
    ]);
  });

  describe('with udp_answer_limit 5 and TC for whatever was cut', () => {
    sizes({ udpAnswerLimit: 5, truncateBit: 'any' }, [
      ['many.service.consul A', {}, { is: 'NOERROR aa tc', answers: 5 }],
      ['many.service.consul A', { edns: 8192 }, { answers: 100 }],
      ['many.service.consul SRV', { edns: 1400 }, { is: 'NOERROR aa tc', answers: [5, 60], max: 1400 }],
      ['many.service.consul A', { tcp: true }, { answers: 100 }],
      ['same.service.consul SRV', {}, { answers: 3 }],
    ]);
  });

  describe('with other settings', () => {
    sizes({ udpAnswerLimit: 50 }, [['many.service.consul A', {}, { answers: 8 }]]);
    sizes({ udpAnswerLimit: 0 }, [['many.service.consul A', {}, { answers: 1 }]]);
    sizes({ truncateBit: 'off' }, [['many.service.consul A', { edns: 1232 }, { answers: [60, 80], max: 1232 }]]);
    sizes({ compress: false }, [
      ['many.service.consul A', { edns: 1232 }, { is: 'NOERROR aa tc', answers: [30, 36], max: 1232 }],
    ]);
  });

  it.each([
    ['A', {}, 4],
    ['SRV', {}, 4],
    ['SRV', { edns: 1232 }, 104],
    ['SRV', { tcp: true }, 1025],
  ])('%s %j draws no more of many instances than may fit, and one that tells of more', async (type, how, most) => {
    let drawn = 0;
    const seeded = new SeededRandom(3);
    const random = {
      uuid: () => seeded.uuid(),
      next: () => {
        drawn++;
        return seeded.next();
      },
    };
    await dig({}, random).ask('huge.service.consul', type, how);
    expect(drawn).toBeLessThanOrEqual(most + 1);
  });

  it('gives every address its turn', async () => {
    const asker = dig();
    const seen = new Set<string>();
    for (let i = 0; i < 400; i++)
      for (const line of (await asker.ask('many.service.consul', 'A')).answer) seen.add(line);
    expect(seen.size).toBe(100);
  });
});
