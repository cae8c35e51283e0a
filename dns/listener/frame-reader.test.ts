import { FrameReader } from './frame-reader.ts';

const frame = (text: string) => Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(text)]);
const texts = (messages: readonly Uint8Array[]) => messages.map((message) => Buffer.from(message).toString());

describe('frame reader', () => {
  it('gives whole messages and keeps the rest', () => {
    const reader = new FrameReader();
    const stream = Buffer.concat([frame('one'), frame('two'), frame('three')]);
    expect(texts(reader.push(stream.subarray(0, 7)).messages)).toEqual(['one']);
    expect(reader.partial).toBe(true);
    expect(texts(reader.push(stream.subarray(7)).messages)).toEqual(['two', 'three']);
    expect(reader.partial).toBe(false);
  });

  it('gives the same messages however the stream is cut', () => {
    const stream = Buffer.concat(['a', '', 'bcd', 'x'.repeat(4096)].map(frame));
    for (const step of [1, 2, 3, 5, 4097]) {
      const reader = new FrameReader();
      const seen: string[] = [];
      for (let at = 0; at < stream.length; at += step)
        seen.push(...texts(reader.push(stream.subarray(at, at + step)).messages));
      expect(seen).toEqual(['a', '', 'bcd', 'x'.repeat(4096)]);
    }
  });

  it('says that a message is longer than any query before it has come', () => {
    expect(new FrameReader().push(Buffer.from([0x10, 0x01])).oversize).toBe(true);
    expect(new FrameReader().push(Buffer.from([0x10, 0x00])).oversize).toBe(false);
  });
});
