import { deny } from '../lib/decide.js';
import { deciding, denied } from '../page/decide.js';

deciding({ act: (client, reviewed) => deny(client, reviewed), done: denied }, { ready: 'With your key and its PIN.' });
