/* H2_BUDGET(name, most, end, doc): what a client of HTTP/2 may do so often in H2_BUDGET_US; more ends the connection. */
H2_BUDGET(resets,        200,  h2_reset_flood,        "streams that it reset, or that had to be reset for what it did (CVE-2023-44487)")
H2_BUDGET(settings,      16,   h2_settings_flood,     "SETTINGS frames")
H2_BUDGET(pings,         64,   h2_ping_flood,         "PING frames")
H2_BUDGET(empty,         64,   h2_empty_flood,        "DATA frames without a byte that end nothing")
H2_BUDGET(priorities,    1000, h2_priority_flood,     "PRIORITY and PRIORITY_UPDATE frames")
H2_BUDGET(updates,       20000, h2_update_flood,      "WINDOW_UPDATE frames")
H2_BUDGET(others,        256,  h2_unknown_flood,      "frames of types that are unknown, or that nobody needs so often")
