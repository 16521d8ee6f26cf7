/* proxyd volume: looks at a volume's folder, whether a daemon has it open or not, and changes nothing. */
#ifndef PROXYD_VOLUME_COMMAND_H
#define PROXYD_VOLUME_COMMAND_H

/* argv[0] is the word `volume`. The exit code: 0 whole, 1 damage was found (or what was asked for is not there), 2 wrong use,
 * or the volume cannot be read. */
int volume_command(int argc, char **argv);

#endif
