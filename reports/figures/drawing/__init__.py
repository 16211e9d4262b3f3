"""Elements that figures share: layout in inches, colours and markers, marks with intervals, labels, themes."""
