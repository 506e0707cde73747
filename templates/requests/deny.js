import { deny } from '../lib/decide.js';
import { deciding, over } from '../page/decide.js';

deciding(async (client, reviewed) => {
  const live = await deny(client, reviewed);
  const first = reviewed.facts.requester.name.split(/\s+/)[0];
  over('You denied it', live.state === 'waiting' ? `It ends when others deny it too. ${first} sees your name.` : `It is over, for everybody. ${first} sees your name and can ask again.`);
}, { ready: 'With your key and its PIN.' });
