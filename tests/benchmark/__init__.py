# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark behind ``make bench``: one question about an account, asked in several ways of the same embedded AWS.

The question: who has a console password, and which MFA devices do these users have?
"""
