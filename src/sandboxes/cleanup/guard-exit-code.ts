/** By which the program of the guard asks to be started again later. */
export const ENGINE_IS_AWAY = 75;
