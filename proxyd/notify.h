/* Telling the service manager (sd_notify(3)): one datagram to $NOTIFY_SOCKET; without it nothing happens. */
#ifndef PROXYD_NOTIFY_H
#define PROXYD_NOTIFY_H

void notify(const char *state);

#endif
