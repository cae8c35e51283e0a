import { writeFileSync } from 'node:fs';
import { referencePage } from '../api/openapi/reference-page.ts';

// Writes docs/http-endpoints.md from the descriptions of the endpoints.
writeFileSync(new URL('../docs/http-endpoints.md', import.meta.url), referencePage());
