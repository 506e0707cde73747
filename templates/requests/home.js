// What waits for one appears without being asked for.
import { keepFresh } from '../page/fresh.js';
import { $, begin, busy } from '../page/page.js';

begin();
keepFresh(busy, (words) => { $('fresh').textContent = words; });
