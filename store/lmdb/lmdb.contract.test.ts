import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { describeStore } from '../contract/describe-store.ts';
import { openLmdbStore } from './open-lmdb-store.ts';

const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };

describeStore('lmdb', (place) => openLmdbStore({ ...place, ...deps }));
