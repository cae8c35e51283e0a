import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeEtcd, type EtcdBinary } from '../etcd/binaries.ts';
import { HERE, type Place } from '../network/broken-network.ts';
import { describeReal } from '../require-real.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

const HOW = "install faketime (Debian: faketime), 'scripts/install-test-tools.sh' does";

/** The library that the program `faketime` puts before a process; it lies in a folder of the machine's kind. */
function library(): string | undefined {
  const found = [
    '/usr/lib',
    ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`) : []),
  ]
    .map((folder) => join(folder, 'faketime', 'libfaketimeMT.so.1'))
    .find((file) => existsSync(file));
  return found;
}

const LIBRARY = library();

/** `describe` for tests that need faketime and this etcd; skipped, or failed when real parts are required, without one. */
export function describeWrongClocks(etcd: EtcdBinary, name: string, fn: (file: string) => void): void {
  if (LIBRARY === undefined) describeReal('faketime', false, HOW, name, () => {});
  else describeEtcd(etcd, name, fn);
}

/** A wall clock that is wrong, for processes that start at its place. Their monotonic clock is the machine's. */
export class WrongClock {
  readonly place: Place;
  readonly #folder = tempFolder('wrong-clock');
  readonly #file = join(this.#folder, 'offset');

  constructor(offset = '+0') {
    this.set(offset);
    const env = [
      `LD_PRELOAD=${LIBRARY}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#file}`,
      // The file is read so often, by the machine's own clock.
      'FAKETIME_CACHE_DURATION=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ];
    this.place = { ...HERE, inside: ['env', ...env] };
  }

  /** How far it is from the machine's from now on, e.g. `+1h` or `-1h`; running processes see a jump within a second. */
  set(offset: string): void {
    writeFileSync(this.#file, `${offset}\n`);
  }

  remove(): void {
    removeFolder(this.#folder);
  }
}
