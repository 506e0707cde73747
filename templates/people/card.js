import { $, begin } from '../page/page.js';

begin();
$('print').addEventListener('click', () => print());
