import { approve } from '../lib/decide.js';
import { deciding, signed } from '../page/decide.js';

deciding(async (client, reviewed) => signed(await approve(client, reviewed), reviewed.facts), { ready: 'With your key and its PIN.' });
