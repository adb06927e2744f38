-- The same rows from a text file.
COPY items FROM '@FILE@';
