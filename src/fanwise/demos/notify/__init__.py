"""The notification demo: users come page by page, and each that wants news gets an e-mail.

`workflow.yaml`, `actions.py`, `prepare.py` and `README.md` are the demo, which `fanwise demo notify
--copy DIR` copies to change and run. The rest gives it something to talk to: `people` says which
users there are and how their mailboxes take mail, `users_server` lists them over HTTP, and
`mail_server` takes the mail, each in a process of its own. `smtp` is the protocol of the latter,
and `mail_log` what it writes down.
"""
