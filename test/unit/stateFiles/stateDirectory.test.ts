import { describePlaces } from './describePlaces.ts';
import { statePlaces } from './statePlaces.ts';

describePlaces(statePlaces);
