import { describeStore } from '../contract/describe-store.ts';
import { openMemoryStore } from './memory-store.ts';

describeStore('memory', async ({ limits, history }) => openMemoryStore({ limits, history }));
