/* logaudit: arguments to one command (tbl/commands.h). */
#include <errno.h>

#include "cmd.h"

int main(int argc, char **argv)
{
	struct options o;
	int code;
	const struct command *command = options_parse(argc, argv, &o, &code);

	if (command) {
		code = command->run(&o);
		filter_release(&o.filter);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "logaudit: cannot write: %s\n", strerror(errno));
		code = EXIT_trouble;
	}
	return code;
}
