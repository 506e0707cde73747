// Pages with nothing of their own to do.
import { begin } from '../page/page.js';

begin();
