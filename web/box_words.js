// What the pages of boxes say, in the language of the rest.

import { ofLanguage } from './language.js';
import { strings as de } from './strings.boxes.de.js';
import { strings as en } from './strings.boxes.en.js';

export const words = ofLanguage([en, de]);
