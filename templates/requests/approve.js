import { approve } from '../lib/decide.js';
import { deciding, signed } from '../page/decide.js';

deciding({ act: (client, reviewed) => approve(client, reviewed), done: signed }, { ready: 'With your key and its PIN.' });
