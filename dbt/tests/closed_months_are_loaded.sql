{{ days_against_closing() }}
