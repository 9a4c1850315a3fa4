// The portal's first page.
import { sweep } from './sealed.js';
import { offerTyping } from './typed.js';

sweep();
offerTyping();
