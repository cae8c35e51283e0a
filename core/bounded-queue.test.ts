import { BoundedQueue } from './bounded-queue.ts';

describe('bounded queue', () => {
  it('hands items over in order, also to a consumer that waited', async () => {
    const queue = new BoundedQueue<number>('q', 3);
    const waiting = queue.take();
    queue.push(1);
    queue.push(2);
    expect(await waiting).toBe(1);
    expect(await queue.take()).toBe(2);
  });

  it('refuses an item beyond its capacity and keeps the others', async () => {
    const queue = new BoundedQueue<number>('verdicts', 1);
    queue.push(1);
    expect(() => queue.push(2)).toThrow('queue verdicts is full (1)');
    expect(await queue.take()).toBe(1);
    queue.push(3);
    expect(queue.size).toBe(1);
  });

  it('drains after close and then gives undefined', async () => {
    const queue = new BoundedQueue<number>('q', 2);
    queue.push(1);
    queue.close();
    expect(() => queue.push(2)).toThrow('closed');
    expect(await queue.take()).toBe(1);
    expect(await queue.take()).toBeUndefined();
  });

  it('gives undefined to a consumer whose signal aborts, and loses no item by it', async () => {
    const queue = new BoundedQueue<number>('q', 2);
    const controller = new AbortController();
    const waiting = queue.take(controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
    queue.push(7);
    expect(await queue.take()).toBe(7);
  });
});
