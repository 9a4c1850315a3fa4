// The portal's first page.
import { offerTyping } from './typed.js';

offerTyping();
