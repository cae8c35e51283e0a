import { statfsSync } from 'node:fs';
import { cpus, freemem, hostname, platform, release, totalmem, uptime } from 'node:os';

/** What GET /v1/agent/host tells of the machine (Consul HTTP API, "View host information"). */
export function hostInfo(options: { readonly dataDir: string; readonly nowMs: number }): object {
  const total = totalmem();
  const available = freemem();
  const errors: string[] = [];
  return {
    Memory: { total, available, used: total - available, usedPercent: (100 * (total - available)) / total },
    CPU: cpus().map(({ model, speed }, cpu) => ({ cpu, modelName: model, mhz: speed })),
    Host: {
      hostname: hostname(),
      uptime: Math.floor(uptime()),
      os: platform(),
      kernelVersion: release(),
      kernelArch: process.arch,
    },
    Disk: disk(options.dataDir || '/', errors),
    // Nanoseconds; a number of JSON holds them to the microsecond.
    CollectionTime: options.nowMs * 1e6,
    Errors: errors.length > 0 ? errors : null,
  };
}

function disk(path: string, errors: string[]): object | null {
  try {
    const { bsize, blocks, bfree, bavail } = statfsSync(path);
    const total = blocks * bsize;
    const used = (blocks - bfree) * bsize;
    const usedPercent = total === 0 ? 0 : (100 * used) / total;
    return { path, total, free: bavail * bsize, used, usedPercent };
  } catch (error) {
    errors.push(`disk of ${path}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
